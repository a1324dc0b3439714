-- Each request asks for one of the devices whose token and version the file TOKENS names, a line each.

local threads = 0
local requests = {}

function setup(thread)
   threads = threads + 1
   thread:set("seed", threads)
end

function init()
   math.randomseed(seed)
   for line in io.lines(os.getenv("TOKENS")) do
      local token, version = line:match("^(%S+) (%S+)$")
      local path = wrk.path .. "?current_fw=" .. version
      requests[#requests + 1] = wrk.format("GET", path, { Authorization = "Bearer " .. token })
   end
end

function request()
   return requests[math.random(#requests)]
end
