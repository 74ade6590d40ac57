-- What is asked of an algorithm, in a script that has all three: a rule, and whose it is.
--
-- ARGV[i]    the algorithm (t, s or f)
-- ARGV[i+1]  and three more: four numbers, which are said with the algorithm

local looks = { t = look_at_token_bucket, s = look_at_sliding_window, f = look_at_fixed_window }
local takes = {
  t = take_from_token_bucket, s = take_from_sliding_window, f = take_from_fixed_window,
}

local function rule_at(i)
  return {
    -- A sum with a string is a number, and cheaper than tonumber.
    ARGV[i + 1] + 0, ARGV[i + 2] + 0, ARGV[i + 3] + 0, ARGV[i + 4] + 0,
    look = looks[ARGV[i]], take = takes[ARGV[i]],
  }
end
