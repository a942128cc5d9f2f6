#include "fuzz/fuzz.h"
#include "locksmith/pause.h"
#include "locksmith/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Record record;
        Pause pause;

        if (record_parse((const char *)data, size, &record) == 0)
                record_done(&record);
        if (pause_parse((const char *)data, size, &pause) == 0)
                pause_done(&pause);
        return 0;
}
