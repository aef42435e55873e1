-- Renews a node's lease, and ends the leases of those who did not, unless they are to be left alone for now.
-- KEYS, behind those of the mark: leases, by node, with their ends; nodes whose lease ended, with when that was.
-- ARGV, behind those of the mark: the node; its lease in ms; 1 to end others'; how long ended ones are remembered, in ms;
-- then, of what may be lost, how many nodes were ended, which, and which had a lease.
-- Returns the server's time in ms; 1 when the node has its lease, 0 when it was ended; the ended nodes; those with a lease;
-- and the mark.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = tonumber(ARGV[6])
for i = 7, 6 + number do
  redis.call('ZADD', KEYS[4], 'NX', now, ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end
for i = 7 + number, #ARGV do
  if not redis.call('ZSCORE', KEYS[4], ARGV[i]) then
    redis.call('ZADD', KEYS[3], 'NX', now + ARGV[3], ARGV[i])
  end
end
if redis.call('ZSCORE', KEYS[4], ARGV[2]) then
  return {now, 0, {}, {}, mark}
end
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[2])
if ARGV[4] == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
    redis.call('ZREM', KEYS[3], node)
    redis.call('ZADD', KEYS[4], now, node)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[5])
return {now, 1, redis.call('ZRANGE', KEYS[4], 0, -1), redis.call('ZRANGE', KEYS[3], 0, -1), mark}
