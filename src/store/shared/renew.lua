-- Renews a node's lease, and ends the leases of those who did not, unless they are to be left alone for now.
-- KEYS[1]: leases, by node, with their ends. KEYS[2]: nodes whose lease ended, with when that was. KEYS[3]: the mark of all
-- data. KEYS[4]: the history of the server's data when that was set.
-- ARGV: the node; its lease in ms; 1 to end others'; how long ended ones are remembered, in ms; a mark, for when the data
-- have none or the server has another history of data; 1 to end an earlier node of the same number; then, of what may be
-- lost, how many nodes were ended, which, and which had a lease.
-- Returns the server's time in ms; 1 when the node has its lease, 0 when it was ended, 2 when another node of its number has
-- one; the ended nodes; those with a lease; the mark; and the end of the other's lease, or 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A server that was started anew, or took over from another one, has a new id of replication. Where it may not be asked for,
-- only data that are gone altogether are found missing.
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
local mark = redis.call('GET', KEYS[3])
if not mark or redis.call('GET', KEYS[4]) ~= history then
  mark = ARGV[5]
  redis.call('SET', KEYS[3], mark)
  redis.call('SET', KEYS[4], history)
end
local number = tonumber(ARGV[7])
for i = 8, 7 + number do
  redis.call('ZADD', KEYS[2], 'NX', now, ARGV[i])
  redis.call('ZREM', KEYS[1], ARGV[i])
end
for i = 8 + number, #ARGV do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    redis.call('ZADD', KEYS[1], 'NX', now + ARGV[2], ARGV[i])
  end
end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  return {now, 0, {}, {}, mark, 0}
end
-- Of the nodes of one number only one has a lease. Who comes gets none while another one's runs, unless he may end that one,
-- which he may not when it is the later one.
local function parts(node)
  local number, incarnation = string.match(node, '"node":(%d+),"incarnation":(%d+)')
  return number, tonumber(incarnation)
end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local number, incarnation = parts(ARGV[1])
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local its, started = parts(node)
    if its == number then
      local ends = tonumber(redis.call('ZSCORE', KEYS[1], node))
      if ends > now and (ARGV[6] ~= '1' or started > incarnation) then
        return {now, 2, {}, {}, mark, ends}
      end
      redis.call('ZREM', KEYS[1], node)
      redis.call('ZADD', KEYS[2], now, node)
    end
  end
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if ARGV[3] == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
    redis.call('ZREM', KEYS[1], node)
    redis.call('ZADD', KEYS[2], now, node)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
return {now, 1, redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('ZRANGE', KEYS[1], 0, -1), mark, 0}
