-- Each request polls for any of DEVICES devices, as the gateway that shows GATEWAY_TOKEN.

local threads = 0
local devices = tonumber(os.getenv("DEVICES"))
local head, tail

function setup(thread)
   threads = threads + 1
   thread:set("seed", threads)
end

function init()
   math.randomseed(seed)
   local shown = { Authorization = "GatewayToken " .. os.getenv("GATEWAY_TOKEN") }
   head, tail = wrk.format("GET", wrk.path .. "@", shown):match("^(.-)@(.*)$")
end

function request()
   return head .. string.format("%012x", math.random(0, devices - 1)) .. tail
end
