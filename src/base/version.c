#include <cinch/version.h>

const char *cinch_version(void)
{
    return CINCH_VERSION_STRING;
}
