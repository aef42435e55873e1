-- What the data of a part are marked with; begins other scripts.
-- KEYS[1]: the mark. KEYS[2]: the history of the server's data when that was set. ARGV[1]: a mark, for when the data have
-- none or the server has another history of data: a number above that of the mark which the node knows, and what no other has.
-- The number is raised above that of the mark which is there, and above the server's time in ms: so a later mark is the greater
-- one, unless who sets it missed the last one, the data are gone, and the clock is behind, all at once.
-- A server that was started anew, or took over from another one, has a new id of replication. Where it may not be asked for,
-- only data that are gone altogether are found missing.
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
local mark = redis.call('GET', KEYS[1])
if not mark or redis.call('GET', KEYS[2]) ~= history then
  local function number(of)
    return tonumber(string.match(of or '', '^%d+') or '0')
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local this = math.max(now, number(mark) + 1, number(ARGV[1]))
  mark = string.format('%016.0f', this) .. string.match(ARGV[1], '^%d+(.*)$')
  redis.call('SET', KEYS[1], mark)
  redis.call('SET', KEYS[2], history)
end
