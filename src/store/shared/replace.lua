-- Puts a new version of a record in place of the expected one, and of that alone, then publishes what follows.
-- KEYS[2]: the mark of all data.
-- ARGV: the mark that the node knows; the expected version, 0 for none; same, gone or new; the new row; the command that
-- publishes; how many leaves change, or -1 of a record without leaves; these by turns with what they hold now, nothing for
-- those that are gone; then channels and messages by turns.
-- Returns 1 and the version that the record has now; 0 and what it has instead; or 2 when the mark is another one.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'2', '0'}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r')
local version = found[2] and found[1] or '0'
if version ~= ARGV[2] then
  local state = since(ARGV[2])
  table.insert(state, 1, '0')
  return state
end
local leaves = tonumber(ARGV[6])
local told = 7 + 2 * math.max(leaves, 0)
if ARGV[3] ~= 'same' then
  -- In microseconds, so that a record that comes back never repeats a version.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  version = string.format('%.0f', math.max(now, tonumber(found[1] or '0') + 1))
  if ARGV[3] == 'new' then
    redis.call('HSET', KEYS[1], 'v', version, 'r', ARGV[4])
    if not found[2] and found[1] then
      redis.call('PERSIST', KEYS[1])
    end
    if leaves >= 0 then
      local change = {ARGV[2]}
      for i = 7, told - 1, 2 do
        change[#change + 1] = ARGV[i]
        if ARGV[i + 1] == '' then
          redis.call('HDEL', KEYS[1], ARGV[i])
        else
          redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
        end
      end
      redis.call('RPUSH', KEYS[3], table.concat(change, '\0'))
      redis.call('LTRIM', KEYS[3], -256, -1)
    end
  else
    redis.call('DEL', KEYS[1], KEYS[3])
  end
end
for i = told, #ARGV, 2 do
  redis.call(ARGV[5], ARGV[i], version .. ':' .. ARGV[i + 1])
end
return {'1', version}
