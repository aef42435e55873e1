-- Puts a new version of a record in place of the expected one, and of that alone, then publishes what follows.
-- KEYS[1]: the record, a hash of its version `v` and its row `r`; without a row it was ended under that version.
-- KEYS[2]: the mark of all data. KEYS[3], where the record begins or ends: how many there are.
-- ARGV: the mark that the node knows; the expected version, 0 for none; same, gone or new; the new row; how many records
-- there may be before a new one is refused, empty where it is not; the command that publishes; then channels and messages
-- by turns.
-- Returns 1, the version that the record has now, nothing, and how many records there are, -1 where that did not change; 0,
-- the version that it has instead, and its row; 2 when the mark is another one; or 3 when there are as many as may be.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {2, '0', '', -1}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r')
local version = found[2] and found[1] or '0'
if version ~= ARGV[2] then
  return {0, version, found[2] or '', -1}
end
if KEYS[3] and ARGV[5] ~= '' then
  local there = tonumber(redis.call('GET', KEYS[3]) or '0')
  if there >= tonumber(ARGV[5]) then
    return {3, '0', '', there}
  end
end
local there = -1
if ARGV[3] ~= 'same' then
  -- In microseconds, so that a record that comes back never repeats a version.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  version = string.format('%.0f', math.max(now, tonumber(found[1] or '0') + 1))
  -- A server without memory refuses the first change of a script or none: so they are counted behind it.
  if ARGV[3] == 'new' then
    redis.call('HSET', KEYS[1], 'v', version, 'r', ARGV[4])
    if not found[2] then
      there = redis.call('INCR', KEYS[3])
      if found[1] then
        redis.call('PERSIST', KEYS[1])
      end
    end
  else
    redis.call('DEL', KEYS[1])
    there = redis.call('DECR', KEYS[3])
  end
end
for i = 7, #ARGV, 2 do
  redis.call(ARGV[6], ARGV[i], version .. ':' .. ARGV[i + 1])
end
return {1, version, '', there}
