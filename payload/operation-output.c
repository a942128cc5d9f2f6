#include "payload/operation-output.h"
#include "payload/target.h"

void operation_output_done(OperationOutput *output)
{
        free(output->data);
        *output = (OperationOutput) {};
}

int operation_output_allocate(OperationOutput *output, uint64_t size)
{
        size_t capacity = direct_size_align(MAX_OF(MIN_OF(size, OUTPUT_MAX), UINT64_C(1)));

        if (capacity <= output->capacity)
                return 0;

        free(output->data);
        output->data = aligned_alloc(DIRECT_ALIGNMENT, capacity);
        output->capacity = output->data ? capacity : 0;
        return output->data ? 0 : -ENOMEM;
}

int operation_output_read(OperationOutput *output, const PayloadTarget *direct, uint64_t offset,
                          uint64_t size)
{
        int r;

        if (size > OUTPUT_MAX)
                return 0;
        r = operation_output_allocate(output, size);
        if (r < 0)
                return r;
        r = direct_pread(direct->fd, output->data, (size_t)size, direct->offset + offset);
        if (r < 0)
                return r == -EINVAL ? 0 : r;

        output->size = size;
        return 0;
}
