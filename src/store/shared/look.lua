-- Reads a record, and sends a word after all that was published of it before.
-- KEYS[1]: the record. ARGV: a channel, and the word.
-- Returns its version, 0 for none, and its row.
local found = redis.call('HMGET', KEYS[1], 'v', 'r')
local version = found[1] or '0'
redis.call('PUBLISH', ARGV[1], version .. ':' .. ARGV[2])
return {version, found[2] or ''}
