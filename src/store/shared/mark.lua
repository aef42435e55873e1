-- What the data of a part are marked with; begins other scripts.
-- KEYS[1]: the mark. KEYS[2]: the history of the server's data when that was set. ARGV[1]: a mark, for when the data have
-- none or the server has another history of data.
-- A server that was started anew, or took over from another one, has a new id of replication. Where it may not be asked for,
-- only data that are gone altogether are found missing.
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
local mark = redis.call('GET', KEYS[1])
if not mark or redis.call('GET', KEYS[2]) ~= history then
  mark = ARGV[1]
  redis.call('SET', KEYS[1], mark)
  redis.call('SET', KEYS[2], history)
end
