-- What a record has now, for one who knows a version of it; begins other scripts.
-- KEYS[1]: the record, a hash of its version `v`, `m`, the mark under which that was written, its row `r`, and its leaves; without a
-- row it was ended under that version.
-- KEYS[3]: of its last transitions under the record's mark, in their order, the version before each and the leaves that it
-- changed, with a zero byte before each; none of a record without leaves.
-- `known` is a version, 0 for none, and `under` the mark under which it was written: another history may have the number, too.
-- Returns the version, 0 for none; `same`, `changed` or `whole`; the row; the mark under which it was written; then by turns names of leaves and what they hold, or
-- nothing where a leaf is gone.
local function since(known, under)
  local found = redis.call('HMGET', KEYS[1], 'v', 'r', 'm')
  if not found[2] then
    return {'0', 'whole', '', ''}
  end
  local mark = found[3] or ''
  local is_its = under == mark
  if is_its and found[1] == known then
    return {known, 'same', '', mark}
  end
  local names, seen = {}, {}
  local changes = is_its and known ~= '0' and redis.call('LRANGE', KEYS[3], 0, -1) or {}
  for i = #changes, 1, -1 do
    local before, rest = string.match(changes[i], '^(%d+)(.*)$')
    for name in string.gmatch(rest, '%z(%Z+)') do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    if before == known then
      local state = {found[1], 'changed', found[2], mark}
      for _, name in ipairs(names) do
        state[#state + 1] = name
        state[#state + 1] = redis.call('HGET', KEYS[1], name) or ''
      end
      return state
    end
  end
  local state = {found[1], 'whole', found[2], mark}
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == '=' then
      state[#state + 1] = all[i]
      state[#state + 1] = all[i + 1]
    end
  end
  return state
end
