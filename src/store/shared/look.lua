-- Reads a record, and sends a word after all that was published of it before.
-- KEYS[2]: the mark of all data. ARGV: the mark that the node knows; the command that publishes; a channel, and the word; the
-- version that the node knows, 0 for none; the mark under which that was written.
-- Returns what the record has since then; or -1 when the mark is another one.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'-1', '', ''}
end
local state = since(ARGV[5], ARGV[6])
redis.call(ARGV[2], ARGV[3], state[1] .. ':' .. ARGV[4])
return state
