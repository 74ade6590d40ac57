-- Requests with one API key after another, written out before the clock runs.
local requests = {}
local last = 0

function init()
    for n = 0, 999 do
        requests[n] = wrk.format(nil, nil, { ["X-API-Key"] = "key-" .. n })
    end
end

function request()
    last = (last + 1) % 1000
    return requests[last]
end
