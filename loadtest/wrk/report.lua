-- Counts what wrk counts, and prints it as one line of JSON that begins with RESULT.
-- No callback per answer: the client stays as fast as it can be.

local template = 'RESULT {"requests":%d,"micros":%d,"bytes":%d,"p50":%.3f,"p99":%.3f,"connect":%d,"read":%d,"write":%d,'
  .. '"timeout":%d,"status":%d}'

done = function(summary, latency, requests)
  local errors = summary.errors
  print(string.format(template, summary.requests, summary.duration, summary.bytes,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
