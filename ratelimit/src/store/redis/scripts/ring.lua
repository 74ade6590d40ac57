-- A ring of stamps in one string: a header, then `slots` stamps, of which the `len` from `head` on
-- are in use, in the order of time; after the last slot comes the first. A stamp is the microsecond
-- of an admission as a double, one for each unit of its cost. The ring doubles when it is full, up
-- to the limit, so that a client takes the room of what it does and not of what it might.
--
--   header  '<I4I4I4d'  head, len, slots, newest stamp
--
-- The header takes 20 bytes and a stamp 8. They stand here as numbers, and the functions are plain
-- ones: a script makes all of its functions anew at each call, with all that they refer to.

-- The n-th oldest entry, from 0.
local function ring_entry(key, head, slots, n)
  local at = 20 + (head + n) % slots * 8
  return (struct.unpack('<d', redis.call('GETRANGE', key, at, at + 7)))
end

-- The first entry after an instant, from 0; `len` where there is none. Each admission drops those
-- before it, so they are few, and the search goes out from the oldest in steps that double.
local function ring_first_after(key, head, len, slots, newest, instant)
  if len == 0 or newest <= instant then
    return len
  end
  local first, last, step = 0, len - 1, 1
  while first + step - 1 < last and ring_entry(key, head, slots, first + step - 1) <= instant do
    first = first + step
    step = step * 2
  end
  last = math.min(last, first + step - 1)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if ring_entry(key, head, slots, middle) <= instant then
      first = middle + 1
    else
      last = middle
    end
  end
  return first
end

-- Writes the `len` entries from `head` on and these stamps behind them as the whole of the ring, the
-- oldest in the first slot. It keeps its expiry.
local function rewrite_ring(key, head, len, slots, stamps, new_slots, newest)
  local live = ''
  if len > 0 then
    local from, to = 20 + head * 8, 20 + (head + len - 1) % slots * 8
    if from <= to then
      live = redis.call('GETRANGE', key, from, to + 7)
    else
      live = redis.call('GETRANGE', key, from, -1) .. redis.call('GETRANGE', key, 20, to + 7)
    end
  end
  live = live .. stamps
  local header = struct.pack('<I4I4I4d', 0, #live / 8, new_slots, newest)
  redis.call('SET', key, header .. live .. string.rep('\0', new_slots * 8 - #live), 'KEEPTTL')
end
