/* version.c: the library that the program runs with, and the headers that it was compiled with. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(void)
{
    printf("libcinch %s, headers %s\n", cinch_version(), CINCH_VERSION_STRING);
    return 0;
}
