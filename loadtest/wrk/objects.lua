-- Asks for many objects of one URL instead of one: ?n=0, ?n=1 and so on. Everything else is left to another script.
--
--   OBJECTS=16000 THEN=loadtest/wrk/verify.lua wrk -t1 -c64 -d5s -s objects.lua URL -- [SIZE]
--
-- AFTER=N asks for one after the other, after the first N; otherwise each time for any, drawn the same way in every run.

dofile(os.getenv("THEN"))

local count, last = tonumber(os.getenv("OBJECTS")), tonumber(os.getenv("AFTER") or "")
local prepare = init
local requests = {}

init = function(args)
  if prepare then
    prepare(args)
  end
  for n = 1, count do
    requests[n] = wrk.format(nil, wrk.path .. "?n=" .. n - 1)
  end
end

request = function()
  if not last then
    return requests[math.random(count)]
  end
  last = last % count + 1
  return requests[last]
end
