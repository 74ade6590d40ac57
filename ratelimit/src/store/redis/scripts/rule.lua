-- What is asked of the algorithm of a script that has one: a rule.
--
-- ARGV[i]  and three more: four numbers, which are said with the algorithm

local function rule_at(i)
  -- A sum with a string is a number, and cheaper than tonumber.
  return { ARGV[i] + 0, ARGV[i + 1] + 0, ARGV[i + 2] + 0, ARGV[i + 3] + 0 }
end
