-- Puts a new version of a record in place of the expected one, and of that alone, then publishes what follows.
-- KEYS[2]: the mark of all data. KEYS[4], where the record begins or ends: how many there are.
-- ARGV: the mark that the node knows; the expected version, 0 for none; same, gone or new; the new row, or how long an
-- end is remembered, in ms; how many records there may be before a new one is refused, empty where it is not; the command that
-- publishes; the mark under which the expected version was written, empty where that is the mark of all data; how many leaves
-- change, or -1 of a record without leaves; these by turns with what they hold now, nothing for those that are gone; then
-- channels and messages by turns.
-- Returns 1, the version that the record has now, and how many records there are, -1 where that did not change; 0 and what it
-- has instead; 2 when the mark is another one; or 3 and how many there are when there are as many as may be.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'2'}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r', 'm')
local version = found[2] and found[1] or '0'
local under = ARGV[7] == '' and ARGV[1] or ARGV[7]
if version ~= ARGV[2] or version ~= '0' and (found[3] or '') ~= under then
  local state = since(ARGV[2], under)
  table.insert(state, 1, '0')
  return state
end
if KEYS[4] and ARGV[5] ~= '' then
  local there = tonumber(redis.call('GET', KEYS[4]) or '0')
  if there >= tonumber(ARGV[5]) then
    return {'3', tostring(there)}
  end
end
local there = -1
local leaves = tonumber(ARGV[8])
local told = 9 + 2 * math.max(leaves, 0)
if ARGV[3] ~= 'same' then
  -- In microseconds, so that a record that comes back never repeats a version.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  version = string.format('%.0f', math.max(now, tonumber(found[1] or '0') + 1))
  -- A server without memory refuses the first change of a script or none: so they are counted behind it.
  if ARGV[3] == 'new' then
    redis.call('HSET', KEYS[1], 'v', version, 'r', ARGV[4], 'm', ARGV[1])
    if not found[2] then
      there = redis.call('INCR', KEYS[4])
      if found[1] then
        redis.call('PERSIST', KEYS[1])
      end
    end
    if leaves >= 0 then
      local change = {ARGV[2]}
      for i = 9, told - 1, 2 do
        change[#change + 1] = ARGV[i]
        if ARGV[i + 1] == '' then
          redis.call('HDEL', KEYS[1], ARGV[i])
        else
          redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
        end
      end
      if under == ARGV[1] then
        redis.call('RPUSH', KEYS[3], table.concat(change, '\0'))
        redis.call('LTRIM', KEYS[3], -256, -1)
      else
        -- What stood before has its number under another mark.
        redis.call('DEL', KEYS[3])
      end
    end
  else
    redis.call('DEL', KEYS[1], KEYS[3])
    -- Whoever remembers the record from before a loss must not bring it back.
    redis.call('HSET', KEYS[1], 'v', version, 'm', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    there = redis.call('DECR', KEYS[4])
  end
end
for i = told, #ARGV, 2 do
  redis.call(ARGV[6], ARGV[i], version .. ':' .. ARGV[i + 1])
end
return {'1', version, string.format('%.0f', there)}
