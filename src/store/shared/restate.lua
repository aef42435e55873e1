-- Puts a version of a record that a node remembers in place of an earlier one, or of none. Of two versions that were written
-- under one mark the higher one is the later. Else it is the one of the later mark: there the others had gone on already,
-- whatever they went on from and whatever the clock says.
-- KEYS[1]: the record. KEYS[2]: the mark of all data. KEYS[3]: what its last transitions changed. KEYS[4]: how many records
-- there are. ARGV: the mark that the node knows; the version; row or ended; the row; how long an end is remembered, in ms;
-- the mark under which that version was written; then by turns leaves and what they hold.
-- Returns the version that the record has now, 1 when it has a row, and the mark under which it was written; or -1 when the
-- mark is another one.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'-1', 0, ''}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r', 'm')
local mark = found[3] or ''
-- Versions are below 2^53, so these numbers are exact.
if mark > ARGV[6] or mark == ARGV[6] and tonumber(found[1] or '0') >= tonumber(ARGV[2]) then
  return {found[1], found[2] and 1 or 0, mark}
end
-- A server without memory refuses the first change of a script or none.
redis.call('HSET', KEYS[1], 'v', ARGV[2])
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'm', ARGV[6])
if ARGV[3] == 'row' then
  redis.call('HSET', KEYS[1], 'r', ARGV[4])
  for i = 7, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
  if not found[2] then
    redis.call('INCR', KEYS[4])
  end
  return {ARGV[2], 1, ARGV[6]}
end
-- Whoever remembers the record from before must not bring it back.
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if found[2] then
  redis.call('DECR', KEYS[4])
end
return {ARGV[2], 0, ARGV[6]}
