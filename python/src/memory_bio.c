/* memory_bio.c: MemoryBIO, the bytes on their way between a program and a connection. */
#include "extension.h"

#include <string.h>

/* Without a global lock Python has one per object. */
#ifdef Py_BEGIN_CRITICAL_SECTION
#define BEGIN_LOCKED(object) Py_BEGIN_CRITICAL_SECTION(object)
#define END_LOCKED() Py_END_CRITICAL_SECTION()
#else
#define BEGIN_LOCKED(object) {
#define END_LOCKED() }
#endif

#define SMALLEST 1024

typedef struct memory_bio {
    PyObject_HEAD unsigned char
        *bytes; /* of `capacity`; those from `start` to `end` have not been read yet */
    size_t capacity;
    size_t start;
    size_t end;
    int ended;
} memory_bio;

size_t memory_bio_pending(PyObject *bio)
{
    const memory_bio *self = (const memory_bio *)bio;
    size_t size;

    BEGIN_LOCKED(bio);
    size = self->end - self->start;
    END_LOCKED();
    return size;
}

int memory_bio_at_end(PyObject *bio)
{
    const memory_bio *self = (const memory_bio *)bio;
    int ended;

    BEGIN_LOCKED(bio);
    ended = self->ended;
    END_LOCKED();
    return ended;
}

static size_t take(memory_bio *self, void *to, size_t size)
{
    if (size > self->end - self->start)
        size = self->end - self->start;
    if (size > 0)
        memcpy(to, self->bytes + self->start, size);
    self->start += size;
    if (self->start == self->end)
        self->start = self->end = 0;
    return size;
}

/* Makes room for SIZE bytes behind those that are there: 0, or -1 with MemoryError set. */
static int make_room(memory_bio *self, size_t size)
{
    size_t used = self->end - self->start, capacity = self->capacity;
    unsigned char *bytes;

    if (size <= capacity - self->end)
        return 0;
    if (size <= capacity - used && self->start >= used) {
        memcpy(self->bytes, self->bytes + self->start, used);
    } else {
        if (size > (size_t)PY_SSIZE_T_MAX / 2 - used) {
            PyErr_NoMemory();
            return -1;
        }
        while (capacity < used + size)
            capacity = capacity == 0 ? SMALLEST : capacity * 2;
        bytes = PyMem_Malloc(capacity);
        if (bytes == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        if (used > 0)
            memcpy(bytes, self->bytes + self->start, used);
        PyMem_Free(self->bytes);
        self->bytes = bytes;
        self->capacity = capacity;
    }
    self->start = 0;
    self->end = used;
    return 0;
}

static int put(memory_bio *self, const void *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if (make_room(self, size) < 0)
        return -1;
    memcpy(self->bytes + self->end, bytes, size);
    self->end += size;
    return 0;
}

size_t memory_bio_take(PyObject *bio, void *to, size_t size)
{
    size_t taken;

    BEGIN_LOCKED(bio);
    taken = take((memory_bio *)bio, to, size);
    END_LOCKED();
    return taken;
}

int memory_bio_put(PyObject *bio, const void *bytes, size_t size)
{
    int result;

    BEGIN_LOCKED(bio);
    result = put((memory_bio *)bio, bytes, size);
    END_LOCKED();
    return result;
}

size_t memory_bio_peek(PyObject *bio, void *to, size_t size)
{
    const memory_bio *self = (const memory_bio *)bio;

    BEGIN_LOCKED(bio);
    if (size > self->end - self->start)
        size = self->end - self->start;
    if (size > 0)
        memcpy(to, self->bytes + self->start, size);
    END_LOCKED();
    return size;
}

static PyObject *bio_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (PyTuple_GET_SIZE(args) > 0 || (keywords != NULL && PyDict_GET_SIZE(keywords) > 0)) {
        PyErr_SetString(PyExc_TypeError, "MemoryBIO() takes no arguments");
        return NULL;
    }
    return type->tp_alloc(type, 0);
}

static void bio_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyMem_Free(((memory_bio *)self)->bytes);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *bio_read(PyObject *self, PyObject *args)
{
    memory_bio *bio = (memory_bio *)self;
    Py_ssize_t wanted = -1;
    PyObject *bytes;

    if (!PyArg_ParseTuple(args, "|n:read", &wanted))
        return NULL;
    BEGIN_LOCKED(self);
    size_t size = bio->end - bio->start;
    if (wanted >= 0 && (size_t)wanted < size)
        size = (size_t)wanted;
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL)
        (void)take(bio, PyBytes_AS_STRING(bytes), size);
    END_LOCKED();
    return bytes;
}

static PyObject *bio_write(PyObject *self, PyObject *given)
{
    module_state *state = state_of_type(Py_TYPE(self));
    Py_buffer buffer;
    Py_ssize_t size = -1;

    if (state == NULL || PyObject_GetBuffer(given, &buffer, PyBUF_SIMPLE) < 0)
        return NULL;
    BEGIN_LOCKED(self);
    if (((memory_bio *)self)->ended)
        PyErr_SetString(state->ssl_error, "cannot write() after write_eof()");
    else if (put((memory_bio *)self, buffer.buf, (size_t)buffer.len) == 0)
        size = buffer.len;
    END_LOCKED();
    PyBuffer_Release(&buffer);
    return size < 0 ? NULL : PyLong_FromSsize_t(size);
}

static PyObject *bio_write_eof(PyObject *self, PyObject *unused)
{
    (void)unused;
    BEGIN_LOCKED(self);
    ((memory_bio *)self)->ended = 1;
    END_LOCKED();
    Py_RETURN_NONE;
}

static PyObject *bio_pending(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(memory_bio_pending(self));
}

static PyObject *bio_eof(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(memory_bio_at_end(self) && memory_bio_pending(self) == 0);
}

static PyMethodDef bio_methods[] = {
    {"read", bio_read, METH_VARARGS,
     "read($self, size=-1, /)\n--\n\n"
     "Read up to size bytes from the memory BIO.\n\n"
     "If size is not specified, read the entire buffer.\n"
     "If the return value is an empty bytes instance, this means either\n"
     "EOF or that no data is available. Use the \"eof\" property to\n"
     "distinguish between the two."},
    {"write", bio_write, METH_O,
     "write($self, b, /)\n--\n\n"
     "Writes the bytes b into the memory BIO.\n\nReturns the number of bytes written."},
    {"write_eof", bio_write_eof, METH_NOARGS,
     "write_eof($self, /)\n--\n\n"
     "Write an EOF marker to the memory BIO.\n\n"
     "When all data has been read, the \"eof\" property will be True."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef bio_attributes[] = {
    {"pending", bio_pending, NULL, "The number of bytes pending in the memory BIO.", NULL},
    {"eof", bio_eof, NULL, "Whether the memory BIO is at EOF.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot bio_slots[] = {
    {Py_tp_new, bio_new},
    {Py_tp_dealloc, bio_dealloc},
    {Py_tp_methods, bio_methods},
    {Py_tp_getset, bio_attributes},
    {0, NULL},
};

static PyType_Spec bio_spec = {
    .name = "_ssl.MemoryBIO",
    .basicsize = sizeof(memory_bio),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = bio_slots,
};

int add_memory_bio(PyObject *module, module_state *state)
{
    state->memory_bio_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &bio_spec, NULL);
    if (state->memory_bio_type == NULL)
        return -1;
    return PyModule_AddType(module, state->memory_bio_type);
}
