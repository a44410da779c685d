-- Sends the requests of a file in turn, each thread from a place of its own, and prints one line of JSON at the end.
-- A line is a method, a path and a body, with tabs between them; {n} in a body is a number that no other request has.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  lines, sent = {}, 0
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^(%S+)\t(%S+)\t?(.*)$")
    if body == "" then body = nil end
    local unique = body ~= nil and body:find("{n}", 1, true) ~= nil
    local made = nil
    if not unique then made = wrk.format(method, path, nil, body) end
    table.insert(lines, { method = method, path = path, body = body, made = made })
  end
  place = (number * 7919 + tonumber(args[2] or 0)) % #lines
  run = args[2] or "0"
end

function request()
  place = place % #lines + 1
  sent = sent + 1
  local line = lines[place]
  if line.made then return line.made end
  local body = line.body:gsub("{n}", run .. "_" .. number .. "_" .. sent)
  return wrk.format(line.method, line.path, nil, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,' ..
    '"p50":%.1f,"p90":%.1f,"p99":%.1f,"p999":%.1f,"max":%.1f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
    latency.max))
end
