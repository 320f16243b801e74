import { describe } from 'vitest';
import { realKit } from '../support/zookeeper-kit.ts';
import { recipesSuite } from './suites/recipes.ts';

describe('on a real server', () => recipesSuite(realKit()));
