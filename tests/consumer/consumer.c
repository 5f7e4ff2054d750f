/* A user's program, in C and in C++ alike: one typed map. */
#include <concmap/sharded.h>

#include <stdio.h>

typedef cm_str name;

CM_SHARDED_MAP(squares, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)
CM_SHARDED_MAP(ages, name, int, cm_hash_str, cm_equal_str)

/* The map owns its texts, whatever their type is called. */
static bool texts_are_owned(void)
{
    char text[] = "ada";
    ages map;
    if (ages_init(&map, NULL) != CM_OK)
        return false;
    ages_put(&map, cm_str_of(text), 36, NULL);
    text[0] = 'x';
    int age = 0;
    bool right = ages_get(&map, cm_str_of("ada"), &age) && age == 36 && !ages_contains(&map, cm_str_of(text));
    ages_destroy(&map);
    return right;
}

/* A scope is left by exceptions, too. */
static bool scopes_unlock(squares *map)
{
#ifdef __cplusplus
    try {
        CM_WITH_WRITE (squares, map, 12, guard) {
            throw *guard.value;
        }
    } catch (uint64_t) {
    }
#endif
    return squares_try_put(map, 12, 144, NULL) == CM_REPLACED;
}

int main(void)
{
    squares map;
    if (squares_init(&map, NULL) != CM_OK)
        return 1;
    for (uint64_t i = 0; i < 100; i++)
        squares_put(&map, i, i * i, NULL);
    uint64_t square = 0;
    bool right = scopes_unlock(&map) && texts_are_owned() && squares_get(&map, 12, &square) && square == 144 &&
                 squares_len(&map) == 100;
    squares_destroy(&map);
    puts(right ? "right" : "wrong");
    return right ? 0 : 1;
}
