"""Sluice's configuration for the cases: throttle above the load, 10,000 prefixes, metrics and ledger on."""

PREFIXES = 10_000
NOT_REACHED = 100_000_000


def prefixes():
    """Networks of many sizes; the caller's own is one among ten thousand."""
    spread = [f"{10 + n % 90}.{n // 90 % 256}.{n * 37 % 256}.0/{24 - n % 3 * 2}" for n in range(PREFIXES - 1)]
    networks = {_network(text) for text in spread}
    extra = 0
    while len(networks) < PREFIXES - 1:
        networks.add(f"198.{18 + extra // 65_536}.{extra // 256 % 256}.{extra % 256}/32")
        extra += 1
    return ["127.0.0.0/8", *sorted(networks)]


def _network(text):
    """The address without its host bits, for a prefix of 16 to 24 bits."""
    address, length = text.split("/")
    parts = [int(part) for part in address.split(".")]
    value = (parts[0] << 24 | parts[1] << 16 | parts[2] << 8) & ~((1 << (32 - int(length))) - 1)
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.0/{length}"


def configuration(job):
    """The whole file for a job."""
    parts = [_node(job), _listeners(job), _api(job, job.options.get("path", "/s350"))]
    if "access_log" in job.options:
        parts.append(_access_log(job.options["access_log"], job.options["log_format"]))
    return "\n".join(parts)


def _node(job):
    return f"""threads = {job.workers}
upgrade_socket = "{job.folder}/upgrade.sock"
shutdown_grace = "2s"

[log]
level = "warn"

[cache]
memory = "{"16 MiB" if job.disk else "512 MiB"}"
object_size_limit = "2 MiB"
{_disk(job) if job.disk else ""}
[throttle]
account_rate_limit = {NOT_REACHED}
account_burst_limit = {NOT_REACHED}
in_flight_limit = 1_000_000

[admin]
address = "127.0.0.1:{job.options["admin"]}"
"""


def _disk(job):
    """Memory is far too small for what is asked for."""
    return f"""
[cache.disk]
directory = "{job.disk}/cache"
size = "2 GiB"
"""


def _access_log(destination, line):
    return f"""
[access_log]
destination = "{destination}"
format = "{line}"
buffer = "512 MiB"
"""


def _listeners(job):
    return f"""
[[listener]]
address = "127.0.0.1:{job.plain}"
default_api = "load"
default_stage = "prod"

[[listener]]
address = "127.0.0.1:{job.tls}"
default_api = "load"
default_stage = "prod"
[listener.tls]
certificate = "{job.certificate}"
private_key = "{job.private_key}"
"""


def _api(job, path):
    allow = ", ".join(f'"{network}"' for network in prefixes())
    return f"""
[[api]]
id = "load"

[api.resource_policy]
allow = [{allow}]

[[api.resource]]
path = "{path}"
[api.resource.method.GET]
integration = {{ type = "HTTP_PROXY", uri = "http://{job.origin}{path}" }}

[[api.resource]]
path = "/pass"
[api.resource.method.GET]
integration = {{ type = "HTTP_PROXY", uri = "http://{job.origin}/pass" }}

[[api.resource]]
path = "/limited"
[api.resource.method.GET]
integration = {{ type = "MOCK", body = "{job.options.get("mock", "ok")}" }}

[api.stage.prod]
cache_cluster_enabled = true
cache_cluster_size = "{"1 GiB" if job.disk else "256 MiB"}"
{'cache_memory = "4 MiB"' if job.disk else ""}
{'cache_large_objects = "250 MB"' if job.disk else ""}
caching_enabled = true
cache_ttl = "3600s"
throttling_rate_limit = {NOT_REACHED}
throttling_burst_limit = {NOT_REACHED}

[api.stage.prod.method."GET /pass"]
caching_enabled = false

[api.stage.prod.method."GET /limited"]
caching_enabled = false
throttling_rate_limit = {job.options.get("rate", NOT_REACHED)}
throttling_burst_limit = {job.options.get("burst", NOT_REACHED)}
"""
