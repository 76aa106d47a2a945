-- Asks for random ones of the paths in a file. Arguments: the file, and the milliseconds that a connection waits before
-- each request, 0 for none. Prints one line of JSON when it has ended.

local paths = {}

function init(arguments)
  math.randomseed(1)
  for line in io.lines(arguments[1]) do
    paths[#paths + 1] = line
  end
  local wait = tonumber(arguments[2])
  if wait > 0 then
    function delay()
      return math.random(0, 2 * wait)
    end
  end
end

function request()
  return wrk.format(nil, paths[math.random(#paths)])
end

function done(summary, latency, _)
  local failed = 0
  for _, count in pairs(summary.errors) do
    failed = failed + count
  end
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "failed": %d, "p50": %d, "p99": %d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)
  ))
end
