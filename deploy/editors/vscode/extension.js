// Starts `haidang rules lsp` for .rules files. In this folder: npm install, then npx @vscode/vsce package.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const settings = workspace.getConfiguration("haidang");
  const configuration = settings.get("configuration");
  const args = ["rules", "lsp", ...(configuration ? ["-c", configuration] : [])];
  client = new LanguageClient(
    "haidang",
    "Hải Đăng rules",
    { command: settings.get("command"), args },
    { documentSelector: [{ language: "suricata" }] },
  );
  return client.start();
};

exports.deactivate = () => client?.stop();
