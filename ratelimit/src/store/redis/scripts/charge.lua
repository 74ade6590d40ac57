-- Ends the script that takes a cost from one bucket, or all there is if that is less.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on what the algorithm asks for
--
-- Returns  whether it was all there (1 or 0), now, and the state that it was taken from

local fits, settle, a, b, c = algorithm(KEYS[1], 2)
settle(true)
return { fits and 1 or 0, now, a, b, c }
