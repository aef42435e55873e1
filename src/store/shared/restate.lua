-- Puts a version of a record that a node remembers in place of a lower one, or of none; never of what was written, or ended,
-- under the present mark: there the others had gone on already, whatever they went on from and whatever the clock says.
-- KEYS[1]: the record. KEYS[2]: the mark of all data. KEYS[3]: what its last transitions changed. KEYS[4]: how many records
-- there are. ARGV: the mark that the node knows; the version; row or ended; the row; how long an end is remembered, in ms;
-- then by turns leaves and what they hold.
-- Returns the version that the record has now, and 1 when it has a row; -1 when the mark is another one; or -2 when the record
-- was written under this one.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return {'-1', 0}
end
local found = redis.call('HMGET', KEYS[1], 'v', 'r', 'm')
if found[3] == ARGV[1] then
  return {'-2', 0}
end
-- Versions are below 2^53, so these numbers are exact.
if tonumber(found[1] or '0') >= tonumber(ARGV[2]) then
  return {found[1], found[2] and 1 or 0}
end
-- A server without memory refuses the first change of a script or none.
redis.call('HSET', KEYS[1], 'v', ARGV[2])
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HSET', KEYS[1], 'v', ARGV[2])
if ARGV[3] == 'row' then
  redis.call('HSET', KEYS[1], 'r', ARGV[4])
  for i = 6, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
  if not found[2] then
    redis.call('INCR', KEYS[4])
  end
  return {ARGV[2], 1}
end
-- Whoever remembers the record from before must not bring it back.
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if found[2] then
  redis.call('DECR', KEYS[4])
end
return {ARGV[2], 0}
