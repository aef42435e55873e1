-- Renews a node's lease, and ends the leases of those who did not, unless they are to be left alone for now.
-- KEYS[1]: leases, by node, with their ends. KEYS[2]: nodes whose lease ended, with when that was.
-- ARGV: the node; its lease in ms; 1 to end others'; how long ended ones are remembered, in ms.
-- Returns the server's time in ms; 1 when the node has its lease, 0 when it was ended; and the ended nodes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return {now, 0, {}}
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if ARGV[3] == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
    redis.call('ZREM', KEYS[1], node)
    redis.call('ZADD', KEYS[2], now, node)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
return {now, 1, redis.call('ZRANGE', KEYS[2], 0, -1)}
