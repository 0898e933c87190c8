// A small loader of CommonJS modules as npm installs them: the page needs no bundler.
const loaded = new Map();

function read(path) {
  const r = new XMLHttpRequest();
  r.open('GET', path, false);
  r.send();
  return r.status === 200 ? r.responseText : undefined;
}

// find gives the path and the text of what a module in a folder calls name.
function find(folder, name) {
  let path = name.startsWith('.') ? new URL(name, 'http://x' + folder).pathname : '/lib/' + name;
  if (!name.startsWith('.') && !name.includes('/')) {
    const about = JSON.parse(read(path + '/package.json'));
    const main = typeof about.browser === 'string' ? about.browser : about.main || 'index.js';
    path = new URL(main, 'http://x' + path + '/').pathname;
  }
  for (const p of [path, path + '.js', path + '/index.js', path + '.json']) {
    const text = /\.(js|json)$/.test(p) ? read(p) : undefined;
    if (text !== undefined) return [p, text];
  }
  throw new Error('no module ' + name + ' in ' + folder);
}

export function require(name, folder = '/lib/') {
  const [path, text] = find(folder, name);
  if (loaded.has(path)) return loaded.get(path).exports;
  const module = { exports: {} };
  loaded.set(path, module);
  if (path.endsWith('.json')) {
    module.exports = JSON.parse(text);
    return module.exports;
  }
  const here = path.slice(0, path.lastIndexOf('/') + 1);
  new Function('module', 'exports', 'require', 'process', text + '\n//# sourceURL=' + path)(
    module, module.exports, (n) => require(n, here), { env: {} });
  return module.exports;
}
