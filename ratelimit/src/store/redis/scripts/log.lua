-- A log of stamps, in the order of time. A stamp is the microsecond of an admission, as a double.
--
-- Up to 128 units of cost are one string: a stamp of 8 bytes for each unit, to which those that come are
-- appended. What has left the window goes when the string is written again, each time that the key's
-- expiry is put off. More units are a list, until none of them is in the window any more; see
-- long_log.lua. So a client takes the room of what it does and not of what it might.
--
-- Nothing is read whose length is not bounded. A string that is not made of stamps counts as none. A longer
-- one than there can be, and a key that holds something else, is an error of that key.
--
-- The figures stand here as numbers, and the functions are plain ones: a script makes all of its
-- functions again at each call, with all that they refer to. So they refer to little more than what each
-- check of a batch would look for twice.

-- Returns the n-th oldest stamp of a string, from 0.
local function log_entry(stamps, n)
  return (unpack_stamp('<d', stamps, n * 8 + 1))
end

-- Returns the log's stamps as a string, or false if they are a list, and how many they are and the newest
-- (0 for none); of a list, returns what long_log does instead of their number.
local function read_log(key, limit)
  -- No log of a limit of up to 128 is a list.
  if limit > 128 and redis.call('TYPE', key).ok == 'list' then
    local log = long_log(key, limit)
    return false, log, log.newest
  end
  local stamps = redis.call('GETRANGE', key, '0', '1024')
  if #stamps > 1024 then
    -- Of any length. To write over it would free it, which can take long: this fails with WRONGTYPE.
    redis.call('LLEN', key)
  elseif #stamps > 0 and #stamps % 8 == 0 then
    return stamps, #stamps / 8, unpack_stamp('<d', stamps, #stamps - 7)
  end
  return '', 0, 0
end

-- Returns the first entry of a string after an instant, from 0; `len` if there is none. Those before it go
-- soon, so they are few, and the search goes out from the oldest in steps that double.
local function log_first_after(stamps, len, newest, instant)
  if newest <= instant then
    return len
  end
  local first, at = 0, 0
  while at < len - 1 and log_entry(stamps, at) <= instant do
    first, at = at + 1, math.max(2 * at, 1)
  end
  local last = math.min(at, len - 1)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if log_entry(stamps, middle) <= instant then
      first = middle + 1
    else
      last = middle
    end
  end
  return first
end

-- Returns a string without what had left the window when the newest was admitted, for when that is no
-- longer to be told from the newest. Were the clock to step back, it would be in the window again.
local function without_dropped(stamps, len, newest, per)
  stamps = string.sub(stamps, log_first_after(stamps, len, newest, newest - per) * 8 + 1)
  return stamps, #stamps / 8
end

-- Writes these stamps and so many units of now as the whole of a log, which is kept until an instant.
local function write_log(key, stamps, units, till)
  local len = #stamps / 8
  if len + units <= 128 then
    stamps = stamps .. string.rep(struct.pack('<d', now), units)
    redis.call('SET', key, stamps, 'PX', lifetime(till))
    return
  end
  local entries = {}
  if units == 1 then
    for n = 1, len do
      entries[n] = string.sub(stamps, n * 8 - 7, n * 8)
    end
    entries[len + 1] = struct.pack('<d', now)
  else
    -- All of them with a number, so that where these begin need not be searched for.
    local at, before, here = now, 0, 0
    for n = 0, len do
      local stamp, more = now, units
      if n < len then
        stamp, more = log_entry(stamps, n), 1
      end
      if stamp ~= at and here > 0 then
        entries[#entries + 1] = struct.pack('<dI3I3', at, before, here)
        before, here = before + here, 0
      end
      at, here = stamp, here + more
    end
    entries[#entries + 1] = struct.pack('<dI3I3', at, before, here)
  end
  redis.call('DEL', key)
  redis.call('RPUSH', key, unpack(entries))
  redis.call('PEXPIRE', key, lifetime(till))
end
