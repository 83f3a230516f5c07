import { Moon, Sun, SunMoon } from 'lucide-react';
import { texts } from '../texts/en.ts';
import { switchTheme, useTheme } from './theme.ts';

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 24 24" fill="none" strokeWidth="2.6" strokeLinecap="round" aria-hidden>
      <path className="h" d="M5.5 3.5v17M18.5 3.5v17" />
      <path className="r" d="M5.5 9c0 7 13 7 13 0" />
    </svg>
  );
}

const themeIcons = { system: SunMoon, light: Sun, dark: Moon };

export function ThemeButton() {
  const theme = useTheme();
  const Icon = themeIcons[theme];
  return (
    <button
      type="button"
      className="btn ghost icon keep"
      onClick={switchTheme}
      aria-label={texts.shell.theme[theme]}
      title={texts.shell.theme[theme]}
    >
      <Icon className="i" aria-hidden />
    </button>
  );
}
