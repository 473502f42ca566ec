/* core/output_type.h - what the outputs of a net mean to those who read them: losses give it,
 * metrics, reports and predictions go by it, never by the loss.   A value; nothing here fails. Not
 * collective. */
#ifndef ORR_CORE_OUTPUT_TYPE_H
#define ORR_CORE_OUTPUT_TYPE_H

typedef enum orr_output_type {
    ORR_OUTPUT_CLASSES, /* a probability of each class */
    ORR_OUTPUT_VALUES,  /* numbers as they are */
    ORR_OUTPUT_DENSITY  /* a density over bins of one value (core/bins.h) */
} orr_output_type;

#endif
