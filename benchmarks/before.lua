-- The guard as it was before the indexes by e-mail address and telephone number and the stream of changes.
--
-- KEYS  [the index,] then for each state its document's key and its tombstone's key; a key occurs once.
--       Without the index (cluster mode: it lives in another slot) the number of keys is even.
-- ARGV  the tombstone's life in ms, the position of the id in a document's key, each state's updated_at in epoch ms in
--       one text, then for each state the document (a live record) or the version (a deletion).
-- Returns one letter for each state: a(pplied), u(nchanged), s(tale), d(eleted),
--       D or T when the document's or the tombstone's key holds another type; nothing is written there.

local call = redis.call
local sub = string.sub

local LIFE, ID_START = ARGV[1], tonumber(ARGV[2])
local has_index = #KEYS % 2 == 1
local first = has_index and 2 or 1
if has_index then
  call('ZCARD', KEYS[1]) -- fails on another type before anything is written
end

-- MGET gives false for an absent key and for one of another type.
local stored = call('MGET', unpack(KEYS, first))
local VERSION = '^(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ)/(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ)'
local DOCUMENT_VERSION = '^{"version":"' .. sub(VERSION, 2) .. '",'

local function put_live(document_key, incoming, document, tombstone_key, tombstone)
  if document then
    call('SET', document_key, incoming)
  elseif not call('SET', document_key, incoming, 'NX') then
    return 'D'
  end
  if tombstone then
    call('DEL', tombstone_key)
  end
  return 'a'
end

local function live(document_key, incoming, document, tombstone_key, tombstone)
  if document == incoming then
    return 'u'
  end
  local updated, fetched
  if document then
    updated, fetched = string.match(document, DOCUMENT_VERSION)
  elseif tombstone then
    updated, fetched = string.match(tombstone, VERSION)
  end
  if updated then
    local new_updated = sub(incoming, 13, 39)
    if new_updated < updated then
      return 's'
    end
    if new_updated == updated then
      local new_fetched = sub(incoming, 41, 67)
      if document and sub(incoming, 68) == sub(document, 68) then
        if new_fetched > fetched then
          call('SETRANGE', document_key, 40, new_fetched)
        end
        return 'u'
      end
      if new_fetched < fetched then
        return 's'
      end
    end
  end
  return put_live(document_key, incoming, document, tombstone_key, tombstone)
end

local function put_tombstone(document_key, incoming, document, tombstone_key, tombstone)
  if not document and call('EXISTS', document_key) == 1 then
    return 'D'
  end
  if tombstone then
    call('SET', tombstone_key, incoming, 'PX', LIFE)
  elseif not call('SET', tombstone_key, incoming, 'PX', LIFE, 'NX') then
    return 'T'
  end
  if document then
    call('DEL', document_key)
  end
  return 'd'
end

local function deletion(document_key, incoming, document, tombstone_key, tombstone)
  local updated, fetched
  if document then
    updated, fetched = string.match(document, DOCUMENT_VERSION)
  elseif tombstone then
    updated, fetched = string.match(tombstone, VERSION)
  end
  if updated then
    local new_updated = sub(incoming, 1, 27)
    if new_updated < updated then
      return 's'
    end
    if new_updated == updated then
      local new_fetched = sub(incoming, 29, 55)
      if not document then
        if new_fetched > fetched then
          call('SET', tombstone_key, incoming, 'PX', LIFE)
        end
        return 'u'
      end
      if new_fetched < fetched then
        return 's'
      end
    end
  end
  return put_tombstone(document_key, incoming, document, tombstone_key, tombstone)
end

local outcomes, scores, gone = {}, {}, {}
local next_score = string.gmatch(ARGV[3], '%S+')
for i = 1, #stored / 2 do
  local document_key, tombstone_key = KEYS[first + 2 * i - 2], KEYS[first + 2 * i - 1]
  local document, tombstone = stored[2 * i - 1], stored[2 * i]
  local incoming, score = ARGV[i + 3], next_score()
  local outcome
  if #incoming == 55 then
    outcome = deletion(document_key, incoming, document, tombstone_key, tombstone)
    if outcome == 'd' then
      gone[#gone + 1] = sub(document_key, ID_START, -2)
    end
  else
    outcome = live(document_key, incoming, document, tombstone_key, tombstone)
    if outcome == 'a' or outcome == 'u' then
      scores[#scores + 1] = score
      scores[#scores + 1] = sub(document_key, ID_START, -2)
    end
  end
  outcomes[i] = outcome
end
if has_index and #scores > 0 then
  call('ZADD', KEYS[1], unpack(scores))
end
if has_index and #gone > 0 then
  call('ZREM', KEYS[1], unpack(gone))
end
return table.concat(outcomes)
