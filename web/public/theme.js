// Before the first paint, so that a dark room stays dark. No inline script: the content security policy forbids it.
const theme = localStorage.getItem('holdfast-theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
