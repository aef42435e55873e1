-- Reads a record, and sends a word after all that was published of it before.
-- KEYS[1]: the record. KEYS[2]: the mark of all data. ARGV: the mark that the node knows; the
-- command that publishes; a channel, and the word.
-- Returns the record's version, 0 for none, and its row; or -1 when the mark is another one.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'-1', ''}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r')
local version = found[2] and found[1] or '0'
redis.call(ARGV[2], ARGV[3], version .. ':' .. ARGV[4])
return {version, found[2] or ''}
