-- Renews a node's lease, and ends the leases of those who did not, unless they are to be left alone for now.
-- KEYS, behind those of the mark: leases, by node, with their ends; nodes whose lease ended, with when that was; when anybody
-- asked last.
-- ARGV, behind those of the mark: the node; its lease in ms; 1 to end others'; how long ended ones are remembered, in ms; 1
-- to end an earlier node of the same number; then, of what may be lost, how many nodes were ended, which, and which had a
-- lease.
-- Returns the server's time in ms; 1 when the node has its lease, 0 when it was ended, 2 when another node of its number has
-- one; the ended nodes; those with a lease; the mark; and the end of the other's lease, or 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Time in which nobody asked does not count: the server's clock was put forward or back, or nobody could ask. Else who asks
-- first behind a step of the clock would end all others.
local passed = now - tonumber(redis.call('GET', KEYS[5]) or now)
if passed < 0 or passed > ARGV[3] / 5 then
  for _, times in ipairs({KEYS[3], KEYS[4]}) do
    for _, node in ipairs(redis.call('ZRANGE', times, 0, -1)) do
      redis.call('ZINCRBY', times, passed, node)
    end
  end
end
redis.call('SET', KEYS[5], now)
local number = tonumber(ARGV[7])
for i = 8, 7 + number do
  redis.call('ZADD', KEYS[4], 'NX', now, ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end
for i = 8 + number, #ARGV do
  if not redis.call('ZSCORE', KEYS[4], ARGV[i]) then
    redis.call('ZADD', KEYS[3], 'NX', now + ARGV[3], ARGV[i])
  end
end
if redis.call('ZSCORE', KEYS[4], ARGV[2]) then
  return {now, 0, {}, {}, mark, 0}
end
-- Of the nodes of one number only one has a lease. Who comes gets none while another one's runs, unless he may end that one,
-- which he may not when it is the later one.
local function parts(node)
  local number, incarnation = string.match(node, '"node":(%d+),"incarnation":(%d+)')
  return number, tonumber(incarnation)
end
if not redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  local number, incarnation = parts(ARGV[2])
  for _, node in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    local its, started = parts(node)
    if its == number then
      local ends = tonumber(redis.call('ZSCORE', KEYS[3], node))
      if ends > now and (ARGV[6] ~= '1' or started > incarnation) then
        return {now, 2, {}, {}, mark, ends}
      end
      redis.call('ZREM', KEYS[3], node)
      redis.call('ZADD', KEYS[4], now, node)
    end
  end
end
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[2])
if ARGV[4] == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
    redis.call('ZREM', KEYS[3], node)
    redis.call('ZADD', KEYS[4], now, node)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[5])
return {now, 1, redis.call('ZRANGE', KEYS[4], 0, -1), redis.call('ZRANGE', KEYS[3], 0, -1), mark, 0}
