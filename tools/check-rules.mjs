// Writes docs/check-rules.md from the rules of the last build: `npm run build && node tools/check-rules.mjs`.
import { writeFileSync } from 'node:fs';
import { rulesPage } from '../dist/src/check/rules-page.js';

writeFileSync('docs/check-rules.md', rulesPage());
