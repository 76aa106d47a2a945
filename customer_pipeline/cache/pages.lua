-- A page of the index: the members that follow a position in the order of score and member. It only reads.
--
-- KEYS  the index.
-- ARGV  the position's score (empty for the beginning) and its member, the least score, how many members.
-- Returns members and scores by turns.
--
-- The position's member may have moved or gone, and thousands may share its score: then its place is searched by rank.

local call = redis.call
local index, score, member, least, count = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

-- The order of the server's sorted sets. `<` of Lua follows the locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local left, right = string.byte(a, i), string.byte(b, i)
    if left ~= right then
      return left < right
    end
  end
  return #a < #b
end

local function rank_after(score, member)
  local found = call('ZSCORE', index, member)
  if found and tonumber(found) == tonumber(score) then
    return call('ZRANK', index, member) + 1
  end
  local low = call('ZCOUNT', index, '-inf', '(' .. score)
  local high = low + call('ZCOUNT', index, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(member, call('ZRANGE', index, middle, middle)[1]) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

local first = call('ZCOUNT', index, '-inf', '(' .. least)
if score ~= '' then
  first = math.max(first, rank_after(score, member))
end
return call('ZRANGE', index, first, first + count - 1, 'WITHSCORES')
