#include <cinch/version.h>

#include <stdio.h>

int main(void)
{
    printf("cinch %s\n", cinch_version());
    return 0;
}
