-- Looks at every answer: its status must be 200, and its body SIZE bytes long where SIZE is given.
--
--   wrk -t1 -c64 -d5s -s verify.lua URL -- [SIZE]
--
-- Prints one line of JSON that begins with RESULT; "wrong" are the answers that were not as they must be. With
-- STRICT=1 in the environment wrk exits with 1 if there was any of them, or any error.

local threads = {}

setup = function(thread)
  table.insert(threads, thread)
end

init = function(args)
  size = tonumber(args[1])
  seen, wrong, first_wrong = 0, 0, ""
end

response = function(status, headers, body)
  seen = seen + 1
  if status ~= 200 or (size and #body ~= size) then
    wrong = wrong + 1
    if first_wrong == "" then
      first_wrong = string.format("status %d with %d bytes", status, #body)
    end
  end
end

local template = 'RESULT {"requests":%d,"micros":%d,"bytes":%d,"p50":%.3f,"p99":%.3f,"connect":%d,"read":%d,"write":%d,'
  .. '"timeout":%d,"status":%d,"seen":%d,"wrong":%d,"first_wrong":"%s"}'

local function sum(name)
  local all = 0
  for _, thread in ipairs(threads) do
    all = all + thread:get(name)
  end
  return all
end

local function first()
  for _, thread in ipairs(threads) do
    if thread:get("first_wrong") ~= "" then
      return thread:get("first_wrong")
    end
  end
  return ""
end

done = function(summary, latency, requests)
  local errors, wrong = summary.errors, sum("wrong")
  print(string.format(template, summary.requests, summary.duration, summary.bytes,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status, sum("seen"), wrong, first()))
  local failed = wrong + errors.connect + errors.read + errors.write + errors.timeout
  if os.getenv("STRICT") == "1" and (failed > 0 or summary.requests == 0) then
    os.exit(1)
  end
end
