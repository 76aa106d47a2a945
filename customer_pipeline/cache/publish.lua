-- The guard: writes each state of a batch unless a newer one is known. See publisher.py for the order of states.
-- The functions of entries.lua come before.
--
-- KEYS  on one server the indexes by updated_at, e-mail address and telephone number and the stream of changes; then
--       for each state its document's key and its tombstone's key; a key occurs once. In cluster mode, where those four
--       lie in other slots, there follows for each state the key of what is not announced yet.
-- ARGV  how many keys come before those of the states, the tombstone's life in ms, the position of the id in a
--       document's key, how long the stream is (in cluster mode a text that no other batch has), each state's updated_at
--       in epoch ms in one text, then for each state the document (a live record) or the version (a deletion).
-- Returns one letter for each state: a(pplied), u(nchanged), s(tale), d(eleted),
--       D or T when the document's or the tombstone's key holds another type; nothing is written there.

local call = redis.call
local match = string.match

local SHARED, LIFE, ID_START, COUNT = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), #ARGV - 5
local UPDATED, EMAIL, PHONE, CHANGES = 1, 2, 3, 4
local is_cluster = SHARED == 0

-- These fail on another type before anything is written.
if not is_cluster then
  for i = UPDATED, PHONE do
    call('ZCARD', KEYS[i])
  end
  call('XLEN', KEYS[CHANGES])
end
for i = SHARED + 2 * COUNT + 1, #KEYS do
  call('LLEN', KEYS[i])
end

-- MGET gives false for an absent key and for one of another type.
local stored = call('MGET', unpack(KEYS, SHARED + 1, SHARED + 2 * COUNT))
local VERSION = '^(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ)/(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ)'
local DOCUMENT_VERSION = '^{"version":"' .. sub(VERSION, 2) .. '",'

local function live(document_key, incoming, document, tombstone)
  if document == incoming then
    return 'u'
  end
  local updated, fetched
  if document then
    updated, fetched = match(document, DOCUMENT_VERSION)
  elseif tombstone then
    updated, fetched = match(tombstone, VERSION)
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
  return 'a'
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
    updated, fetched = match(document, DOCUMENT_VERSION)
  elseif tombstone then
    updated, fetched = match(tombstone, VERSION)
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

local outcomes, created, replaced = {}, {}, {}
for i = 1, COUNT do
  local document_key, incoming = KEYS[SHARED + 2 * i - 1], ARGV[i + 5]
  local document, tombstone = stored[2 * i - 1], stored[2 * i]
  if #incoming == 55 then
    outcomes[i] = deletion(document_key, incoming, document, KEYS[SHARED + 2 * i], tombstone)
  else
    outcomes[i] = live(document_key, incoming, document, tombstone)
    if outcomes[i] == 'a' then
      local written = document and replaced or created
      written[#written + 1] = document_key
      written[#written + 1] = incoming
    end
  end
end

-- Written together, which is faster; one by one only where one of them holds another type.
local refused = {}
if #created > 0 and call('MSETNX', unpack(created)) == 0 then
  for i = 1, #created, 2 do
    refused[created[i]] = not call('SET', created[i], created[i + 1], 'NX')
  end
end
if #replaced > 0 then
  call('MSET', unpack(replaced))
end

local scores, emails, phones = {}, {}, {}
local gone, stale_emails, stale_phones = {}, {}, {}
local email_count, phone_count = 0, 0

-- The entries that a document had and the next one of the customer has not.
local function outdate(id, document, email, phone)
  local old_email, old_phone = values(document)
  if old_email and old_email ~= email then
    stale_emails[#stale_emails + 1] = old_email .. '\n' .. id
  end
  if old_phone and old_phone ~= phone then
    stale_phones[#stale_phones + 1] = old_phone .. '\n' .. id
  end
end

local function index(id, score, incoming, document)
  local email, phone, from, to = values(incoming)
  scores[#scores + 1] = score
  scores[#scores + 1] = id
  if email then
    emails[email_count + 1] = '0'
    emails[email_count + 2] = email .. '\n' .. id
    email_count = email_count + 2
  end
  if phone then
    phones[phone_count + 1] = '0'
    phones[phone_count + 2] = phone .. '\n' .. id
    phone_count = phone_count + 2
  end
  if document and sub(document, from, to) ~= sub(incoming, from, to) then
    outdate(id, document, email, phone)
  end
end

local function unindex(id, document)
  gone[#gone + 1] = id
  if document then
    outdate(id, document)
  end
end

local function tell(i, id, version, kind)
  if is_cluster then
    call('RPUSH', KEYS[2 * COUNT + i], kind .. ' ' .. version .. ' ' .. ARGV[4])
  else
    call('XADD', KEYS[CHANGES], '*', 'id', id, 'version', version, 'kind', kind)
  end
end

local next_score = string.gmatch(ARGV[5], '%S+')
for i = 1, COUNT do
  local document_key, incoming, score = KEYS[SHARED + 2 * i - 1], ARGV[i + 5], next_score()
  local document, tombstone = stored[2 * i - 1], stored[2 * i]
  local id, outcome = sub(document_key, ID_START, -2), outcomes[i]
  if outcome == 'a' and refused[document_key] then
    outcomes[i] = 'D'
  elseif outcome == 'a' then
    if tombstone then
      call('DEL', KEYS[SHARED + 2 * i])
    end
    index(id, score, incoming, document)
    tell(i, id, sub(incoming, 13, 67), 'changed')
  elseif outcome == 'd' then
    unindex(id, document)
    tell(i, id, incoming, 'deleted')
  elseif outcome == 'u' and #incoming > 55 then
    index(id, score, incoming)
  end
end

local function write(command, key, members)
  if #members > 0 then
    call(command, key, unpack(members))
  end
end

if not is_cluster then
  write('ZREM', KEYS[UPDATED], gone)
  write('ZREM', KEYS[EMAIL], stale_emails)
  write('ZREM', KEYS[PHONE], stale_phones)
  write('ZADD', KEYS[UPDATED], scores)
  write('ZADD', KEYS[EMAIL], emails)
  write('ZADD', KEYS[PHONE], phones)
  call('XTRIM', KEYS[CHANGES], 'MAXLEN', '~', ARGV[4])
end
return table.concat(outcomes)
