-- Which e-mail address and telephone number a document holds, as the JSON text between their quotes; nil for null.
-- Cuts where entries.py cuts.

local sub, find = string.sub, string.find

-- Also returns where the part of the document that says so begins and ends.
local function values(document)
  local from = find(document, ',"email":', 77, true)
  local middle = from and find(document, ',"phone":', from, true)
  local to = middle and find(document, ',"name":', middle, true)
  if not to then
    return nil, nil, 1, 0
  end
  local email, phone
  if middle - from > 11 and (middle - from ~= 13 or sub(document, from + 9, middle - 1) ~= 'null') then
    email = sub(document, from + 10, middle - 2)
  end
  if to - middle > 11 and (to - middle ~= 13 or sub(document, middle + 9, to - 1) ~= 'null') then
    phone = sub(document, middle + 10, to - 2)
  end
  return email, phone, from, to
end

