-- A log of stamps, in the order of time. A stamp is the microsecond of an admission as a double, one
-- for each unit of its cost.
--
-- Up to 128 are in one string, to which those that come are appended. What has left the window goes
-- when the string is written anew, each time that the key's expiry is put off. More are a list with an
-- element for each, until none of them is in the window any more. So a client takes the room of what
-- it does and not of what it might.
--
-- A stamp takes 8 bytes, and 128 of them 1024. They stand here as numbers, and the functions are plain
-- ones: a script makes all of its functions anew at each call, with all that they refer to. So they
-- refer to little more than what each check of a batch would look for twice.

local unpack_stamp = struct.unpack

-- The n-th oldest entry, from 0.
local function log_entry(key, stamps, n)
  if stamps then
    return (unpack_stamp('<d', stamps, n * 8 + 1))
  end
  local stamp = redis.call('LINDEX', key, n)
  if #stamp ~= 8 then
    -- Somebody else's list. This fails, as with whatever else is no string.
    redis.call('GET', key)
  end
  return (unpack_stamp('<d', stamp))
end

-- stored   the key's string, or false where it is not one; nil where that is not known
--
-- Returns  the stamps as a string, or false where they are a list; how many; and the newest (0 for
--          none). A string of another length counts as none.
local function read_log(key, stored)
  if stored == nil then
    -- GET fails where there is a list.
    stored = redis.call('MGET', key)[1]
  end
  if not stored then
    local len = redis.call('LLEN', key)
    if len > 0 then
      return false, len, log_entry(key, false, len - 1)
    end
  elseif #stored > 0 and #stored % 8 == 0 then
    return stored, #stored / 8, unpack_stamp('<d', stored, #stored - 7)
  end
  return '', 0, 0
end

-- The first entry after an instant, from 0; `len` where there is none. Those before it go soon, so
-- they are few, and the search goes out from the oldest in steps that double.
local function log_first_after(key, stamps, len, newest, instant)
  if newest <= instant then
    return len
  end
  local first, at = 0, 0
  while at < len - 1 and log_entry(key, stamps, at) <= instant do
    first, at = at + 1, math.max(2 * at, 1)
  end
  local last = math.min(at, len - 1)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if log_entry(key, stamps, middle) <= instant then
      first = middle + 1
    else
      last = middle
    end
  end
  return first
end

-- The log without what had left the window when the newest was admitted, for when that is no longer to
-- be told from the newest. Were the clock to step back, it would be in the window again.
local function without_dropped(stamps, len, newest, per)
  if not stamps then
    return stamps, len
  end
  stamps = string.sub(stamps, log_first_after(nil, stamps, len, newest, newest - per) * 8 + 1)
  return stamps, #stamps / 8
end

-- Adds stamps to a list. A command has so many arguments at the most.
local function push_stamps(key, stamps)
  for from = 0, #stamps / 8 - 1, 1000 do
    local some = {}
    for n = 1, math.min(#stamps / 8 - from, 1000) do
      local at = (from + n) * 8
      some[n] = string.sub(stamps, at - 7, at)
    end
    redis.call('RPUSH', key, unpack(some))
  end
end

-- Writes these stamps as the whole of a log, which is kept until an instant.
local function write_log(key, stamps, till)
  if #stamps <= 1024 then
    redis.call('SET', key, stamps, 'PX', lifetime(till))
  else
    redis.call('DEL', key)
    push_stamps(key, stamps)
    redis.call('PEXPIRE', key, lifetime(till))
  end
end
