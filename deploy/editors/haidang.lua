-- Neovim 0.11 or newer: put this into ~/.config/nvim/lsp/haidang.lua and add to init.lua:
--   vim.filetype.add({ extension = { rules = "suricata" } })
--   vim.lsp.enable("haidang")
return {
  cmd = { "haidang", "rules", "lsp" },
  filetypes = { "suricata" },
  root_markers = { "suricata.yaml", "haidang.yaml", ".git" },
}
