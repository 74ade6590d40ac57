-- Sliding window, exact: the admissions of the last window as a log of stamps. What it means is said
-- in algorithm/sliding_window.rs, and what is in the key in log.lua.
--
-- rule   what the request costs, the limit, and the window's length in microseconds; of what is taken
--        by it now, `till` and `since` are what kept_after says
-- state  how many entries are in the window, the newest of them, and the entry that must have left
--        the window before a request that does not fit in does (0 for none)

local stamp_of_now = struct.pack('<d', now)

-- Has what lies in the future be admitted now, which it does only because the clock stepped back.
local function step_log_back(key, stamps, len, newest, per)
  stamps, len = without_dropped(stamps, len, newest, per)
  local past = log_first_after(key, stamps, len, newest, now)
  local future = string.rep(stamp_of_now, len - past)
  local till = kept_after(now + per, per)
  if stamps or past == 0 then
    write_log(key, string.sub(stamps or '', 1, past * 8) .. future, till)
  else
    redis.call('LTRIM', key, '0', past - 1)
    push_stamps(key, future)
    redis.call('PEXPIRE', key, lifetime(till))
  end
end

-- stored   the key's string, or false where it is not one; nil where that is not known
--
-- Returns  whether the request fits in, the state, the log's entries and how many they are, as
--          read_log has them, and how many of them have left the window
local function look_at_sliding_window(key, rule, stored)
  local cost, limit, per = rule[1], rule[2], rule[3]
  local stamps, len, newest = read_log(key, stored)
  if newest > now then
    step_log_back(key, stamps, len, newest, per)
    stamps, len, newest = read_log(key)
  end
  local gone = 0
  -- Mostly the oldest is in the window, which a string says at once.
  if len > 0 and (not stamps or unpack_stamp('<d', stamps) <= now - per) then
    gone = log_first_after(key, stamps, len, newest, now - per)
  end
  local used = len - gone
  if used == 0 then
    newest = 0
  end
  if used + cost <= limit then
    return true, used, newest, 0, stamps, len, gone
  end
  local blocking = 0
  if cost <= limit then
    blocking = log_entry(key, stamps, len + cost - limit - 1)
  end
  return false, used, newest, blocking, stamps, len, gone
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_sliding_window(key, rule, used, newest, _, stamps, len, gone)
  local taken, left, per, more = rule[1], rule[2] - used, rule[3], stamp_of_now
  if taken > left then
    taken = left
  end
  if taken <= 0 then
    return
  end
  if taken > 1 then
    more = string.rep(more, taken)
  end
  if not rule.till then
    rule.till, rule.since = kept_after(now + per, per)
  end
  local till, is_kept = rule.till, newest + per >= rule.since
  if used == 0 then
    write_log(key, more, till)
  elseif stamps and is_kept and len + taken <= 128 then
    redis.call('APPEND', key, more)
  elseif stamps then
    write_log(key, string.sub(stamps, gone * 8 + 1) .. more, till)
  else
    if gone > 0 then
      redis.call('LTRIM', key, gone, '-1')
    end
    push_stamps(key, more)
    if not is_kept then
      redis.call('PEXPIRE', key, lifetime(till))
    end
  end
end
