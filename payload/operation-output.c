#include "payload/operation-output.h"
#include "payload/target.h"

void operation_output_done(OperationOutput *output)
{
        free(output->data);
        *output = (OperationOutput) {};
}

int operation_output_allocate(OperationOutput *output)
{
        if (!output->data)
                output->data = aligned_alloc(DIRECT_ALIGNMENT, OUTPUT_MAX);
        return output->data ? 0 : -ENOMEM;
}

int operation_output_read(OperationOutput *output, const PayloadTarget *direct, uint64_t offset,
                          uint64_t size)
{
        int r;

        if (size > OUTPUT_MAX)
                return 0;
        r = operation_output_allocate(output);
        if (r < 0)
                return r;
        r = direct_pread(direct->fd, output->data, (size_t)size, direct->offset + offset);
        if (r < 0)
                return r == -EINVAL ? 0 : r;

        output->size = size;
        return 0;
}
