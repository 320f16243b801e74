import { describe } from 'vitest';
import { fakeKit, realKit } from '../../support/zookeeper/kit.ts';
import { recipesSuite } from '../suites/recipes.ts';

describe('on a real server', () => recipesSuite(realKit()));
describe('on the fake server', () => recipesSuite(fakeKit()));
