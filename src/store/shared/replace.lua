-- Puts a new version of a record in place of the expected one, and of that alone, then publishes what follows.
-- KEYS[1]: the record, a hash of its version `v` and its row `r`.
-- ARGV: the expected version, 0 for none; same, gone or new; the new row; then channels and messages by turns.
-- Returns 1 and the version that the record has now; or 0, the version that it has instead, and its row.
local version = redis.call('HGET', KEYS[1], 'v') or '0'
if version ~= ARGV[1] then
  return {0, version, redis.call('HGET', KEYS[1], 'r') or ''}
end
if ARGV[2] ~= 'same' then
  -- In microseconds, so that a record that comes back never repeats a version.
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  version = string.format('%.0f', math.max(now, tonumber(version) + 1))
  if ARGV[2] == 'new' then
    redis.call('HSET', KEYS[1], 'v', version, 'r', ARGV[3])
  else
    redis.call('DEL', KEYS[1])
  end
end
for i = 4, #ARGV, 2 do
  redis.call('PUBLISH', ARGV[i], version .. ':' .. ARGV[i + 1])
end
return {1, version, ''}
