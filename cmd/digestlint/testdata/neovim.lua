-- A session of Neovim's own client with `digestlint lsp`. It is given the program
-- as $PROGRAM and a folder as $FOLDER, prints what it sees, and writes the file.
local function say(...) io.stdout:write(table.concat({ ... }, ' '), '\n') end

local function fail(why)
  say('error:', why)
  vim.cmd('cquit')
end

-- diagnostics waits until there are so many, and prints them.
local function diagnostics(count)
  local ok = vim.wait(20000, function() return #vim.diagnostic.get(0) == count end, 20)
  if not ok then fail(vim.inspect(vim.diagnostic.get(0))) end
  for _, d in ipairs(vim.diagnostic.get(0)) do
    say(string.format('%d:%d-%d:%d %s', d.lnum, d.col, d.end_lnum, d.end_col, d.code or d.user_data.lsp.code))
  end
end

local function request(method, params)
  local answers, err = vim.lsp.buf_request_sync(0, method, params, 20000)
  if err then fail(err) end
  for _, a in pairs(answers) do
    if a.err then fail(vim.inspect(a.err)) end
    return a.result
  end
end

vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.FOLDER .. '/Dockerfile'))
local id = vim.lsp.start_client({ name = 'digestlint', cmd = { vim.env.PROGRAM, 'lsp' }, root_dir = vim.env.FOLDER })
if not id then fail('the server does not start') end
vim.lsp.buf_attach_client(0, id)
diagnostics(1)

-- Typing: a second image, behind characters of one, two and four bytes.
vim.api.nvim_buf_set_lines(0, 1, 1, false, { 'RUN echo é🙂 && docker pull ' .. vim.env.REGISTRY .. '/tool:1' })
diagnostics(2)

vim.api.nvim_win_set_cursor(0, { 1, 6 })
say(vim.lsp.util.convert_input_to_markdown_lines(request('textDocument/hover', vim.lsp.util.make_position_params()).contents)[1])

-- The second image by its action; the server has the editor make the edit.
vim.api.nvim_win_set_cursor(0, { 2, 36 })
local params = vim.lsp.util.make_range_params()
params.context = { diagnostics = {} }
for _, action in ipairs(request('textDocument/codeAction', params)) do
  say(action.title)
  if action.title:find('^Pin ' .. vim.env.REGISTRY) then
    request('workspace/executeCommand', action.command)
  end
end
diagnostics(1)

vim.cmd('write')
vim.lsp.stop_client(id)
vim.wait(20000, function() return vim.lsp.client_is_stopped(id) end, 20)
vim.cmd('quitall!')
