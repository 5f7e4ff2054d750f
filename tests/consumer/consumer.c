/* A user's program, in C and in C++ alike: one typed map. */
#include <concmap/sharded.h>

#include <stdio.h>

CM_SHARDED_MAP(squares, uint64_t, uint64_t, cm_hash_u64, cm_equal_u64)

int main(void)
{
    squares map;
    if (squares_init(&map, NULL) != CM_OK)
        return 1;
    for (uint64_t i = 0; i < 100; i++)
        squares_put(&map, i, i * i, NULL);
    uint64_t square = 0;
    bool right = squares_get(&map, 12, &square) && square == 144 && squares_len(&map) == 100;
    squares_destroy(&map);
    puts(right ? "right" : "wrong");
    return right ? 0 : 1;
}
